"""From raw videos of people talking to an audited, trainable dataset (GAIA section 3 and appendix A)."""
