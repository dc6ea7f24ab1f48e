"""A saved run as figures and as one HTML page."""
