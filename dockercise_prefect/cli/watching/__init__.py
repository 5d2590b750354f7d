"""The parts of `watch`: which files count, what runs next, and the process of each round."""
