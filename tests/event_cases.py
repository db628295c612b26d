"""Records of event files, as TensorBoard's own message classes write them."""

import struct

from tensorboard.compat.proto import event_pb2, summary_pb2

from curveclinic.readers.crc import masked_crc


def record(event):
    data = event if isinstance(event, bytes) else event.SerializeToString()
    header = struct.pack("<Q", len(data))
    return header + struct.pack("<I", masked_crc(header)) + data + struct.pack("<I", masked_crc(data))


def event(step, *summary_values, wall=1.0):
    return event_pb2.Event(wall_time=wall, step=step, summary=summary_pb2.Summary(value=summary_values))


def scalar(tag, value):
    return summary_pb2.Summary.Value(tag=tag, simple_value=value)
