"""Reports that people look at: what every rule did, on which pictures, and whether it was right."""
