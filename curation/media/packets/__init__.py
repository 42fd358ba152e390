"""What the bytes and packets of a file tell before anything is decoded: recordings, clocks, programmes."""
