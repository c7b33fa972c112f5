# In place of virtual machines: something that Terraform creates, changes and destroys without a provider.
variable "target" {
  type = string
}

resource "terraform_data" "machine" {
  input = var.target
}

output "hosts" {
  value = ["localhost ansible_connection=local"]
}
