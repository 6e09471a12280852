"""The figures of chainrule beside those of its peers: ``make bench``."""
