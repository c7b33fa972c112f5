# In place of the stacks on a Docker Swarm.
resource "terraform_data" "app" {
  input = "app"
}
