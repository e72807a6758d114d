"""One ComponentResource per part of the service: image, endpoint, storage, edge."""
