"""Files that a run writes: the dataset folder, its ledger, and the rows and media of each video."""
