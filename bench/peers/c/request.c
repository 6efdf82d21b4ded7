#include "peer.h"

#include <stdio.h>
#include <string.h>
#include <xmlsec/xmldsig.h>

/* child gives the first child element of that name. */
xmlNodePtr child(xmlNodePtr parent, const char *ns, const char *name)
{
	for (xmlNodePtr n = parent == NULL ? NULL : xmlFirstElementChild(parent); n != NULL; n = xmlNextElementSibling(n))
		if (xmlStrEqual(n->name, BAD_CAST name) && n->ns != NULL && xmlStrEqual(n->ns->href, BAD_CAST ns))
			return n;
	return NULL;
}

/* text gives the text of an element that holds nothing else. */
const xmlChar *text(xmlNodePtr n)
{
	if (n == NULL || n->children == NULL || n->children->type != XML_TEXT_NODE || n->children->next != NULL)
		return NULL;
	return n->children->content;
}

/* attribute gives the value of an attribute without a namespace. */
const xmlChar *attribute(xmlNodePtr n, const char *name)
{
	xmlAttrPtr a = n == NULL ? NULL : xmlHasNsProp(n, BAD_CAST name, NULL);
	return a == NULL || a->children == NULL ? NULL : a->children->content;
}

/* parse_time reads a dateTime in UTC. */
int parse_time(const xmlChar *s, time_t *t)
{
	struct tm tm = {0};
	int end = 0;
	if (s == NULL || sscanf((const char *)s, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end) != 6)
		return -1;
	s += end;
	if (*s == '.')
		s += 1 + strspn((const char *)s + 1, "0123456789");
	if (strcmp((const char *)s, "Z") != 0)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*t = timegm(&tm);
	return 0;
}

/* identify enters the identifier of an element; one that another element has is refused. */
static const xmlChar *identify(xmlDocPtr doc, xmlNodePtr n, const char *name, const char *ns)
{
	xmlAttrPtr a = n == NULL ? NULL : xmlHasNsProp(n, BAD_CAST name, BAD_CAST ns);
	if (a == NULL || a->children == NULL || xmlAddID(NULL, doc, a->children->content, a) == NULL)
		return NULL;
	return a->children->content;
}

/* covers says whether exactly the elements with those identifiers are signed. */
static int covers(xmlSecDSigCtxPtr ctx, const xmlChar **ids, unsigned n)
{
	if (xmlSecPtrListGetSize(&ctx->signedInfoReferences) != n)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		int found = 0;
		for (unsigned j = 0; j < n; j++) {
			xmlSecDSigReferenceCtxPtr r = xmlSecPtrListGetItem(&ctx->signedInfoReferences, j);
			found = found || (r->uri != NULL && r->uri[0] == '#' && xmlStrEqual(r->uri + 1, ids[i]));
		}
		if (!found)
			return 0;
	}
	return 1;
}

/* verify verifies a ds:Signature with a key that was chosen before. */
static int verify(xmlNodePtr signature, xmlSecKeyPtr key, const xmlChar **ids, unsigned n)
{
	xmlSecDSigCtx ctx;
	if (xmlSecDSigCtxInitialize(&ctx, NULL) != 0)
		return 0;
	ctx.flags = 0;
	ctx.enabledReferenceUris = xmlSecTransformUriTypeSameDocument;
	int good = xmlSecDSigCtxEnableReferenceTransform(&ctx, xmlSecTransformExclC14NId) == 0 &&
		xmlSecDSigCtxEnableReferenceTransform(&ctx, xmlSecTransformEnvelopedId) == 0 &&
		xmlSecDSigCtxEnableReferenceTransform(&ctx, xmlSecTransformSha256Id) == 0 &&
		xmlSecDSigCtxEnableSignatureTransform(&ctx, xmlSecTransformExclC14NId) == 0 &&
		xmlSecDSigCtxEnableSignatureTransform(&ctx, xmlSecTransformRsaSha256Id) == 0 &&
		xmlSecDSigCtxEnableSignatureTransform(&ctx, xmlSecTransformEcdsaSha256Id) == 0;
	ctx.signKey = key; /* lent: KeyInfo is not looked at */
	good = good && xmlSecDSigCtxVerify(&ctx, signature) == 0 && ctx.status == xmlSecDSigStatusSucceeded && covers(&ctx, ids, n);
	ctx.signKey = NULL;
	xmlSecDSigCtxFinalize(&ctx);
	return good;
}

static int fresh(struct service *s, xmlNodePtr timestamp)
{
	time_t created, expires;
	if (parse_time(text(child(timestamp, NS_WSU, "Created")), &created) != 0 || parse_time(text(child(timestamp, NS_WSU, "Expires")), &expires) != 0)
		return 0;
	return created <= s->now + 60 && expires > s->now - 60;
}

/* claims says whether the self-issued assertion has the SSIN of the certificate. */
static int claims(xmlNodePtr statement, const char *ssin)
{
	for (xmlNodePtr n = xmlFirstElementChild(statement); n != NULL; n = xmlNextElementSibling(n))
		if (xmlStrEqual(attribute(n, "AttributeName"), BAD_CAST "urn:be:fgov:person:ssin"))
			return xmlStrEqual(text(child(n, NS_SAML, "AttributeValue")), BAD_CAST ssin);
	return 0;
}

/* verify_header verifies the signature of the header over Body, Timestamp and token. */
static int verify_header(struct service *s, xmlDocPtr doc, xmlNodePtr body, struct party **identity, const char **why)
{
	xmlNodePtr security = child(child(xmlDocGetRootElement(doc), NS_SOAP, "Header"), NS_WSSE, "Security");
	xmlNodePtr timestamp = child(security, NS_WSU, "Timestamp"), token = child(security, NS_WSSE, "BinarySecurityToken");
	xmlNodePtr signature = child(security, NS_DS, "Signature");
	const xmlChar *ids[3] = {identify(doc, body, "Id", NS_WSU), identify(doc, timestamp, "Id", NS_WSU), identify(doc, token, "Id", NS_WSU)};
	if (signature == NULL || ids[0] == NULL || ids[1] == NULL || ids[2] == NULL) {
		*why = "header: parts";
		return -1;
	}
	if (!fresh(s, timestamp)) {
		*why = "header: Timestamp";
		return -1;
	}
	*identity = trust_verify(s, &s->citizens, text(token), why);
	if (*identity == NULL)
		return -1;
	if (!verify(signature, (*identity)->key, ids, 3)) {
		*why = "header: signature";
		return -1;
	}
	return 0;
}

/* request_verify verifies a message and finds what it asks for. */
int request_verify(struct service *s, xmlDocPtr doc, struct query *q, const char **why)
{
	struct party *identity = NULL, *holder = NULL;
	int result = -1;
	xmlNodePtr body = child(xmlDocGetRootElement(doc), NS_SOAP, "Body");
	q->request = child(body, NS_SAMLP, "Request");
	if (verify_header(s, doc, body, &identity, why) != 0)
		goto done;
	q->attribute_query = child(q->request, NS_SAMLP, "AttributeQuery");
	xmlNodePtr subject = child(q->attribute_query, NS_SAML, "Subject");
	q->subject_name = child(subject, NS_SAML, "NameIdentifier");
	xmlNodePtr confirmation = child(subject, NS_SAML, "SubjectConfirmation");
	xmlNodePtr self = child(child(confirmation, NS_SAML, "SubjectConfirmationData"), NS_SAML, "Assertion");
	q->conditions = child(self, NS_SAML, "Conditions");
	q->statement = child(self, NS_SAML, "AttributeStatement");
	q->holder = child(child(child(confirmation, NS_DS, "KeyInfo"), NS_DS, "X509Data"), NS_DS, "X509Certificate");
	const xmlChar *id = identify(doc, q->request, "RequestID", NULL);
	xmlNodePtr signature = child(q->request, NS_DS, "Signature");
	*why = "request: parts";
	if (id == NULL || signature == NULL || q->statement == NULL || q->conditions == NULL || q->subject_name == NULL ||
		!xmlStrEqual(text(child(confirmation, NS_SAML, "ConfirmationMethod")), BAD_CAST HOLDER_OF_KEY))
		goto done;
	holder = trust_verify(s, &s->platform, text(q->holder), why);
	if (holder == NULL)
		goto done;
	*why = "request: signature";
	if (!verify(signature, holder->key, &id, 1))
		goto done;
	*why = "request: SSIN";
	if (!claims(q->statement, identity->ssin))
		goto done;
	result = 0;
done:
	party_release(s, identity);
	party_release(s, holder);
	return result;
}
