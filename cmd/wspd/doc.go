// Command wspd guards a web service, of whatever make: as a reverse proxy before it, or as the authorizer of another proxy. Without a service it
// answers with a small echo service (package wsp/echo), which shows a consumer what a provider learns of his calls.
//
//	wspd serve --config FILE     guard and serve until interrupted
//	wspd check --config FILE     say all that is wrong with a configuration, and what it leaves open
//	wspd config example          print a configuration with its manual
//	wspd version
//
// What is admitted is the matter of package wsp; docs/guard.md tells how to put it before a service. The configuration is one YAML file;
// an unknown key is an error; its manual is example.yaml in this folder.
//
// # Listeners
//
// The service: admitted messages go to upstream, with a JWT that says who called. The authorizer, where there is one: /ext-authz for
// Envoy, with the message; /session and /auth for nginx auth_request, which shows none. The admin listener: /healthz/live while the process runs,
// /healthz/ready while every trusted authority has a usable CRL and no stop was asked for, /metrics, and /jwks.json, by which the JWTs verify.
//
// # Signals
//
// SIGHUP reads the configuration again: each request is served to its end by the reading that was current when it came. An interrupt, or
// SIGTERM, stops the listeners, lets what runs end within limits.stop, and ends with 0.
package main
