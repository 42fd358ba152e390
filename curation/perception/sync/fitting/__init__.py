"""Teaching of the network: ridge passes find offsets and misfits, then contrastive learning."""
