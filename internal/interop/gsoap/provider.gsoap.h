//gsoap t service name: provider
//gsoap t schema namespace: urn:sceau:interop

// What soapcpp2 makes the provider of, with the SAML types of Debian's wsse.h: what is verified is the document as it was
// read, and not what would be written of them.
#import "wsse.h"

int __t__Ask(char *t__Ask, struct __t__AskResponse {
  char *t__Answer;
} *out);
