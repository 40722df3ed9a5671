// Package brokers runs real brokers for tests and measurements: private ones, on loopback, each with a directory and ports of its own.
//
// The life of one broker: Redis, RabbitMQ or Kafka finds the program, picks ports, writes its settings into the directory, starts it as the
// leader of a process group and returns once it answers in its own protocol. Kill, Pause and Resume signal that group and nothing else; Start
// brings it back with the same directory and ports. Stop ends it. A process that is killed leaves its brokers behind: each has a note (process
// number and start time, of itself and of its owner), and whoever starts a broker next ends those whose owner is gone.
//
// Use has one broker of a kind for all tests of a process, or the one that PULSE_REDIS, PULSE_RABBITMQ or PULSE_KAFKA names, which is then
// somebody else's: it cannot be killed. StopAll, in TestMain, ends what Use started.
//
// A server of Prometheus is run the same way, and asked what it knows.
//
// Limits: Linux only. A broker that does not answer within its kind's patience is ended, and the end of its log is in the error.
package brokers
