//! Pulumi, Terraform and OpenTofu state: named outputs, each plain or secret.
