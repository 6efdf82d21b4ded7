#include "peer.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <xmlsec/templates.h>
#include <xmlsec/xmldsig.h>

static void write_time(char out[32], time_t t)
{
	struct tm tm;
	gmtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
}

static int new_id(char out[34])
{
	unsigned char random[16];
	if (RAND_bytes(random, sizeof random) != 1)
		return -1;
	out[0] = '_';
	for (int i = 0; i < 16; i++)
		snprintf(out + 1 + 2 * i, 3, "%02x", random[i]);
	return 0;
}

static xmlNodePtr add(xmlNodePtr parent, xmlNsPtr ns, const char *name, const xmlChar *content)
{
	return xmlNewTextChild(parent, ns, BAD_CAST name, content);
}

static void set(xmlNodePtr n, const char *name, const xmlChar *value)
{
	xmlNewProp(n, BAD_CAST name, value);
}

static xmlNodePtr add_subject(xmlNodePtr parent, xmlNsPtr saml, const struct query *q)
{
	xmlNodePtr subject = add(parent, saml, "Subject", NULL);
	xmlNodePtr name = add(subject, saml, "NameIdentifier", text(q->subject_name));
	set(name, "Format", BAD_CAST "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName");
	set(name, "NameQualifier", attribute(q->subject_name, "NameQualifier"));
	return subject;
}

static const xmlChar *claimed(const struct query *q, const xmlChar *name)
{
	for (xmlNodePtr n = xmlFirstElementChild(q->statement); n != NULL; n = xmlNextElementSibling(n))
		if (xmlStrEqual(attribute(n, "AttributeName"), name))
			return text(child(n, NS_SAML, "AttributeValue"));
	return NULL;
}

static const xmlChar *certified(const struct service *s, const xmlChar *name)
{
	for (const struct fact *f = s->facts; f != NULL; f = f->next)
		if (strcmp(f->name, (const char *)name) == 0)
			return BAD_CAST f->value;
	return NULL;
}

/* add_attributes answers every designator, in the order asked. */
static int add_attributes(struct service *s, xmlNodePtr statement, xmlNsPtr saml, const struct query *q)
{
	for (xmlNodePtr n = xmlFirstElementChild(q->attribute_query); n != NULL; n = xmlNextElementSibling(n)) {
		if (!xmlStrEqual(n->name, BAD_CAST "AttributeDesignator"))
			continue;
		const xmlChar *name = attribute(n, "AttributeName"), *value = NULL;
		if (name == NULL)
			return -1;
		value = claimed(q, name);
		if (value == NULL)
			value = certified(s, name);
		if (value == NULL)
			return -1;
		xmlNodePtr a = add(statement, saml, "Attribute", NULL);
		set(a, "AttributeName", name);
		set(a, "AttributeNamespace", attribute(n, "AttributeNamespace"));
		add(a, saml, "AttributeValue", value);
	}
	return 0;
}

/* sign appends the signature to the assertion; its certificate stands outside what is signed. */
static int sign(struct service *s, xmlDocPtr doc, xmlNodePtr assertion, const char *id)
{
	char uri[40];
	snprintf(uri, sizeof uri, "#%s", id);
	xmlNodePtr signature = xmlSecTmplSignatureCreateNsPref(doc, xmlSecTransformExclC14NId, s->method, NULL, BAD_CAST "ds");
	xmlNodePtr reference = signature == NULL ? NULL : xmlSecTmplSignatureAddReference(signature, xmlSecTransformSha256Id, NULL, BAD_CAST uri, NULL);
	if (reference == NULL)
		return -1;
	xmlAddChild(assertion, signature);
	if (xmlSecTmplReferenceAddTransform(reference, xmlSecTransformEnvelopedId) == NULL || xmlSecTmplReferenceAddTransform(reference, xmlSecTransformExclC14NId) == NULL)
		return -1;
	xmlAttrPtr a = xmlHasProp(assertion, BAD_CAST "AssertionID");
	if (xmlAddID(NULL, doc, BAD_CAST id, a) == NULL)
		return -1;
	xmlSecDSigCtx ctx;
	if (xmlSecDSigCtxInitialize(&ctx, NULL) != 0)
		return -1;
	ctx.signKey = s->key; /* lent */
	int good = xmlSecDSigCtxSign(&ctx, signature) == 0 && ctx.status == xmlSecDSigStatusSucceeded;
	ctx.signKey = NULL;
	xmlSecDSigCtxFinalize(&ctx);
	if (!good)
		return -1;
	xmlNodePtr info = add(signature, signature->ns, "KeyInfo", NULL);
	add(add(info, signature->ns, "X509Data", NULL), signature->ns, "X509Certificate", BAD_CAST s->certificate);
	return 0;
}

static int add_assertion(struct service *s, xmlDocPtr doc, xmlNodePtr response, const struct query *q, const char *now)
{
	char id[34], before[32], after[32];
	time_t not_before, not_after;
	if (new_id(id) != 0 || parse_time(attribute(q->conditions, "NotBefore"), &not_before) != 0 || parse_time(attribute(q->conditions, "NotOnOrAfter"), &not_after) != 0 || not_after <= s->now)
		return -1;
	write_time(before, not_before - 300);
	write_time(after, not_after);
	xmlNodePtr assertion = xmlNewChild(response, NULL, BAD_CAST "Assertion", NULL);
	xmlNsPtr saml = xmlNewNs(assertion, BAD_CAST NS_SAML, NULL);
	xmlSetNs(assertion, saml);
	set(assertion, "AssertionID", BAD_CAST id);
	set(assertion, "IssueInstant", BAD_CAST now);
	set(assertion, "Issuer", BAD_CAST "urn:be:fgov:ehealth:sts:1_0");
	set(assertion, "MajorVersion", BAD_CAST "1");
	set(assertion, "MinorVersion", BAD_CAST "1");
	xmlNodePtr window = add(assertion, saml, "Conditions", NULL);
	set(window, "NotBefore", BAD_CAST before);
	set(window, "NotOnOrAfter", BAD_CAST after);
	xmlNodePtr authentication = add(assertion, saml, "AuthenticationStatement", NULL);
	set(authentication, "AuthenticationInstant", BAD_CAST now);
	set(authentication, "AuthenticationMethod", BAD_CAST "urn:oasis:names:tc:SAML:1.0:am:X509-PKI");
	xmlNodePtr confirmation = add(add_subject(authentication, saml, q), saml, "SubjectConfirmation", NULL);
	add(confirmation, saml, "ConfirmationMethod", BAD_CAST HOLDER_OF_KEY);
	xmlNodePtr info = xmlNewChild(confirmation, NULL, BAD_CAST "KeyInfo", NULL);
	xmlNsPtr ds = xmlNewNs(info, BAD_CAST NS_DS, BAD_CAST "ds");
	xmlSetNs(info, ds);
	add(add(info, ds, "X509Data", NULL), ds, "X509Certificate", text(q->holder));
	xmlNodePtr statement = add(assertion, saml, "AttributeStatement", NULL);
	add_subject(statement, saml, q);
	if (add_attributes(s, statement, saml, q) != 0)
		return -1;
	return sign(s, doc, assertion, id);
}

/* answer_build writes and signs the answer; NULL and why when it cannot. */
xmlDocPtr answer_build(struct service *s, const struct query *q, const char **why)
{
	char id[34], now[32];
	*why = "answer";
	write_time(now, s->now);
	if (new_id(id) != 0)
		return NULL;
	xmlDocPtr doc = xmlNewDoc(BAD_CAST "1.0");
	xmlNodePtr envelope = xmlNewDocNode(doc, NULL, BAD_CAST "Envelope", NULL);
	xmlDocSetRootElement(doc, envelope);
	xmlNsPtr soap = xmlNewNs(envelope, BAD_CAST NS_SOAP, BAD_CAST "soapenv");
	xmlSetNs(envelope, soap);
	xmlNodePtr response = xmlNewChild(add(envelope, soap, "Body", NULL), NULL, BAD_CAST "Response", NULL);
	xmlNsPtr samlp = xmlNewNs(response, BAD_CAST NS_SAMLP, BAD_CAST "samlp");
	xmlSetNs(response, samlp);
	set(response, "InResponseTo", attribute(q->request, "RequestID"));
	set(response, "IssueInstant", BAD_CAST now);
	set(response, "MajorVersion", BAD_CAST "1");
	set(response, "MinorVersion", BAD_CAST "1");
	set(response, "ResponseID", BAD_CAST id);
	set(add(add(response, samlp, "Status", NULL), samlp, "StatusCode", NULL), "Value", BAD_CAST "samlp:Success");
	if (add_assertion(s, doc, response, q, now) == 0)
		return doc;
	xmlFreeDoc(doc);
	return NULL;
}
