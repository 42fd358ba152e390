"""From a portrait and speech, or a driving video, to a talking video."""
