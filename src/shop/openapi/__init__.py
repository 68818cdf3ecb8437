"""The OpenAPI document and its page, generated from the tables of endpoints."""
