"""What runs Belfry: Terraform, migrations, the local cloud, the operator's command. Functions never import it."""
