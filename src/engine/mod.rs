//! The pipeline as values: frames in, model and findings out. A mode is how it is fed.
