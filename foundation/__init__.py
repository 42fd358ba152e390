"""Ground floor of GAIA: errors, settings, storage and weights, which every package needs; it imports none of them."""
