"""From measures to opinions: definitions, rules, the network, and who has the last word."""
