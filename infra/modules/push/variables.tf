variable "name" { type = string }
variable "topic" { type = string }

variable "filter" {
  description = "Which messages of the topic; Pub/Sub cannot change it later, only make the subscription anew."
  type        = string
}

variable "endpoint" {
  description = "Address of the function, and the audience of the token."
  type        = string
}

variable "pusher" {
  description = "E-mail of the account that Pub/Sub pushes as."
  type        = string
}

variable "ack_deadline" {
  description = "Seconds, 10 to 600."
  type        = number
}

variable "retention" { type = string }
variable "dead_letter_topic" { type = string }

variable "pubsub_agent" {
  description = "Google's own account that moves dead letters."
  type        = string
}
