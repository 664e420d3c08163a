"""One protocol, several clients: TorchServe over HTTP, and the models embedded in this process."""
