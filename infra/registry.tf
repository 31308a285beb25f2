# cron.yaml is the only registry. What it says of a function is read here, with its defaults, as the loader reads it
# (shared/cronfile); nothing else of the configuration opens the file.
locals {
  cron = yamldecode(file("${path.module}/../cron.yaml"))

  # FunctionSpec's own defaults, then those of the file.
  defaults = merge(
    { timeout = 300, memory = "512Mi", max_instances = 2, pool = 2 },
    { for field, value in try(local.cron.defaults, {}) : field => value if contains(["timeout", "memory", "max_instances", "pool"], field) },
  )

  functions = { for id, entry in merge(local.cron.functions, local.cron.jobs) : id => {
    category      = entry.category
    title         = try(entry.name.en, id)
    timeout       = try(entry.timeout, local.defaults.timeout)
    memory        = try(entry.memory, local.defaults.memory)
    max_instances = try(entry.max_instances, local.defaults.max_instances)
    pool          = try(entry.pool, local.defaults.pool)

    # Names in the cloud have no underscore; Cloud Run's are 49 characters at most, so that its address fits.
    name  = replace(id, "_", "-")
    class = local.classes[id]
  } }

  jobs = local.cron.jobs

  # A class is a set of functions that need the same rights, and so one service account.
  classes = { for id, entry in merge(local.cron.functions, local.cron.jobs) : id =>
    id == "sweep_runs" ? "sweeper" :
    id == "dispatch_dependents" ? "dispatcher" :
    contains(["console", "migrate"], id) ? id :
    startswith(id, "notify_") ? "channel-${replace(trimprefix(id, "notify_"), "_", "-")}" :
    contains(["databases", "integration"], entry.category) ? entry.category :
    "job"
  }

  # Known before anything is made, so that a function can be told its own audience.
  urls = { for id, function in local.functions : id => "https://${function.name}-${var.project_number}.${var.region}.run.app" }

  # The console is a Cloud Run service (console.tf): Identity-Aware Proxy stands before those only.
  deployed = { for id, function in local.functions : id => function if id != "console" }

  channels = { for id, function in local.functions : trimprefix(id, "notify_") => id if startswith(id, "notify_") }

  # All functions at once, each with all its connections.
  connections_needed = sum([for function in values(local.functions) : function.max_instances * function.pool])
  connections        = try(local.cron.database.connections, 100)
}
