"""The role in a customer's account that another account's dockercise uses, and the external ids of customers."""
