"""One module per runtime SDK; nothing else in the project converts a graph to a device format."""
