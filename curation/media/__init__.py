"""Videos in, clips out: probing, decoding to ticks, audio on the same zero, encoding."""
