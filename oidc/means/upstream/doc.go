// Package upstream is a means of authentication: an OpenID provider of others, Pro Santé Connect or any, says who the person is.
//
// The provider sends the browser back to one fixed address, RedirectURI, whatever the attempt; state leads from there to the attempt:
// it is the attempt's ID, a point, and what nobody can guess. Who serves that address takes the attempt that AttemptOf names, if the
// browser is bound to it, and asks the means to Serve the request as it came. The request comes from another site: a cookie that
// binds the attempt must be SameSite=Lax, not Strict.
package upstream
