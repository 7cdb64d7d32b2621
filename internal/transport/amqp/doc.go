// Package amqp is Helsenorge's transport: AMQP 1.0 to the service bus of Norsk helsenett
// (RabbitMQ), by HITS 1216 and the AMQP profile.
//
// One connection is kept for the life of the process and made again when it is lost. Each
// link has a session of its own, because an error of one link ends its session. Credit is
// issued by hand, and only when all that was issued has been used: with automatic credit
// the plugin of RabbitMQ 3.10 stops delivering in the middle of a backlog. A message comes
// whole into memory: a link holds no more of them unsettled than its credit, and than
// bodies of 80 MiB.
//
// What differs between brokers are settings. RabbitMQ up to 3.13 has addresses of version 1
// and knows no "modified" outcome; 4 has version 2, and counts deliveries by it. Version 2
// and modified are unproven: no test runs against RabbitMQ 4.
//
// On RabbitMQ 3 a message to a queue that does not exist is accepted and lost. Queue names
// come from the address registry, and SelfTest looks at the own ones; a message that gets
// no receipt is found by its receipt being overdue.
package amqp
