variable "interval" {
  type    = string
  default = "5m"
}

resource "terraform_data" "connection" {
  input = { name = "orders", interval = var.interval }
}
