"""Videos that a trained run makes of people it has not learned from, by the paper's protocols, and their evaluation."""
