// Command wspd guards a web service. Today the service is a small echo service (package
// wsp/echo), which shows a consumer what a provider learns of his calls.
//
//	wspd serve --config FILE     guard and serve until interrupted
//	wspd check --config FILE     say all that is wrong with a configuration, and what it leaves open
//	wspd config example          print a configuration with its manual
//	wspd version
//
// What is admitted is the matter of package wsp. The configuration is one YAML file;
// an unknown key is an error; its manual is example.yaml in this folder.
//
// The admin listener answers /healthz/live while the process runs, and /healthz/ready
// while every trusted authority has a usable CRL and no stop was asked for. An interrupt, or
// SIGTERM, stops the listeners, lets what runs end within limits.stop, and ends with 0.
package main
