/* The service on libxml2, xmlsec1 and OpenSSL. README.md of the folder above says what it does. */
#ifndef PEER_H
#define PEER_H

#include <libxml/tree.h>
#include <openssl/x509.h>
#include <time.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/crypto.h>
#include <xmlsec/keys.h>
#include <xmlsec/transforms.h>

#define NS_SOAP "http://schemas.xmlsoap.org/soap/envelope/"
#define NS_WSSE "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
#define NS_WSU "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
#define NS_DS "http://www.w3.org/2000/09/xmldsig#"
#define NS_SAML "urn:oasis:names:tc:SAML:1.0:assertion"
#define NS_SAMLP "urn:oasis:names:tc:SAML:1.0:protocol"
#define HOLDER_OF_KEY "urn:oasis:names:tc:SAML:1.0:cm:holder-of-key"

/* A certificate whose chain was verified, with its key as xmlsec takes it. */
struct party {
	unsigned char digest[32]; /* SHA-256 of the DER */
	X509 *certificate;
	xmlSecKeyPtr key;
	char ssin[16]; /* serialNumber of the subject, empty when it has none */
	time_t not_before, not_after;
	struct party *next;
};

/* Who is trusted in one role. */
struct trust {
	X509_STORE *store;
	STACK_OF(X509) *intermediates;
	struct party *kept; /* NULL for ever when chains are verified each time */
};

struct fact {
	char *name, *value;
	struct fact *next;
};

struct service {
	time_t now;
	int cached;
	struct trust citizens, platform;
	struct fact *facts;
	xmlSecKeyPtr key;
	xmlSecTransformId method;
	char *certificate; /* base64 of the service's own */
	xmlParserCtxtPtr parser;
	xmlBufferPtr out;
};

/* What a verified request asks for; everything belongs to its document. */
struct query {
	xmlNodePtr request, attribute_query, subject_name, conditions, statement, holder;
};

/* trust.c */
int trust_load(struct trust *t, const char *dir, const char *name);
struct party *trust_verify(struct service *s, struct trust *t, const xmlChar *base64, const char **why);
void party_release(struct service *s, struct party *p);

/* request.c */
int request_verify(struct service *s, xmlDocPtr doc, struct query *q, const char **why);
xmlNodePtr child(xmlNodePtr parent, const char *ns, const char *name);
const xmlChar *text(xmlNodePtr n);
const xmlChar *attribute(xmlNodePtr n, const char *name);
int parse_time(const xmlChar *s, time_t *t);

/* answer.c */
xmlDocPtr answer_build(struct service *s, const struct query *q, const char **why);

#endif
