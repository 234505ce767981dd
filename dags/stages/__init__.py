"""One task group a stage: load, one domain call, save."""
