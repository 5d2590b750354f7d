"""`dockercise gc`: what nobody needs any more is found and removed."""
