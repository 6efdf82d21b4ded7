//go:build pkcs11 && cgo

package pkcs11

// Renew lets a test's module see a token that was made after it was initialized.
func Renew(path string) { _ = process.modules[path].renew() }
