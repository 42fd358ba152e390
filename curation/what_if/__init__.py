"""What-if: what other limits would keep of a dataset, counted on its evidence for many values at once."""
