// Package page is what a person sees of the OpenID Connect face: server-rendered pages in French, Dutch, German and English.
//
//	set, err := page.New()
//	mux.Handle("GET /etab/750712184/static/", set.Static())
//	pages := set.For(r, page.Language(r.FormValue("lang"), uiLocales, r.Header.Get("Accept-Language")), page.View{…})
//	pages.Write(w, r, http.StatusOK, page.Password{Action: a.URL, Username: a.Hint, Return: a.ReturnURL})
//
// A page is a value of one of the types of page.go; it says what is to be told, and the templates and texts say how. Nothing that
// a value holds is markup: all of it is escaped where it stands.
//
// Pages hold no script and no style of their own, fetch nothing from elsewhere and work without a script, but for Passkey and Enrol, which
// cannot (and FormPost, which has a button). The policy of each answer (Content-Security-Policy) says so to the browser.
package page
