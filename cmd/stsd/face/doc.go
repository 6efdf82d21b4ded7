// Package face is the OpenID Connect face of stsd: its configuration, its listeners, and the establishments behind them. It
// has listeners of its own, on net/http with HTTP/2: one for browsers and clients, and one that asks for a certificate. Trust,
// audit trail and clock are those of the token service.
//
//	config, err := face.Read("oidc.yaml")
//	f, err := face.New(config, face.Shared{…})     // everything is made and checked; nothing listens
//	err = f.Listen(nil)
//	go f.Serve()
//	restart, err := f.Replace(config)              // establishments, clients, keys and means change; sessions stay
//	err = f.Shutdown(ctx)
//	err = f.Close()
package face
