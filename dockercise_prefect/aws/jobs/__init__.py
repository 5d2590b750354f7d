"""Jobs: tasks of ECS in our account, each of which runs one pipeline on the Docker host in a customer's account."""
