"""Tensors of a checkpoint on disk: a safetensors file per rank and a JSON index; any number of ranks reads them."""
