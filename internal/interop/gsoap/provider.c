/* provider provide AUTHORITY SERVICE...: a service that verifies its callers by gSOAP and its wsse plugin. See the package comment of interop. */

#include "soapH.h"
#include "provider.nsmap"
#include "wsseapi.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>

#define SAML "urn:oasis:names:tc:SAML:1.0:assertion"
#define DSIG "http://www.w3.org/2000/09/xmldsig#"
#define WSU "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
#define ENVELOPE "http://schemas.xmlsoap.org/soap/envelope/"
#define DOCTOR "urn:be:fgov:person:ssin:doctor:boolean"

static X509_STORE *authorities;
static X509 *services[8];

static X509 *read_certificate(const char *path) {
  FILE *f = fopen(path, "r");
  X509 *c = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
  if (!c) fprintf(stderr, "%s: not read\n", path), exit(1);
  fclose(f);
  return c;
}

/* certificate is the one in a KeyInfo; the caller frees it. */
static X509 *certificate(struct soap *soap, struct ds__KeyInfoType *info) {
  int length = 0;
  if (!info || !info->X509Data || !info->X509Data->X509Certificate) return NULL;
  const unsigned char *der = (const unsigned char *)soap_base642s(soap, info->X509Data->X509Certificate, NULL, 0, &length);
  return der ? d2i_X509(NULL, &der, length) : NULL;
}

/* der makes of a SignatureValue with r and s (RFC 6931 2.3.6) what OpenSSL verifies: the plugin hands it on as it is. */
static int der(struct soap *soap, ds__SignatureType *signature) {
  int length = 0;
  const unsigned char *raw = (const unsigned char *)soap_base642s(soap, signature->SignatureValue, NULL, 0, &length);
  unsigned char *out = NULL;
  if (!raw || length % 2) return 0;
  ECDSA_SIG *value = ECDSA_SIG_new();
  ECDSA_SIG_set0(value, BN_bin2bn(raw, length / 2, NULL), BN_bin2bn(raw + length / 2, length / 2, NULL));
  int n = i2d_ECDSA_SIG(value, &out);
  signature->SignatureValue = soap_s2base64(soap, out, NULL, n);
  OPENSSL_free(out);
  ECDSA_SIG_free(value);
  return 1;
}

/* declaration is the default namespace that an element declares. */
static struct soap_dom_attribute *declaration(struct soap_dom_element *e) {
  struct soap_dom_attribute *a = e->atts;
  while (a && (!a->name || strcmp(a->name, "xmlns"))) a = a->next;
  return a;
}

/* verify verifies a signature with a certificate's key, in the document from dom on. The plugin takes the first
 * ds:Signature that it finds there for the one it is given, and empties it. It writes the default namespace of an
 * ancestor on ds:SignedInfo, where exclusive canonicalization has none, since nothing there uses it: it is hidden. */
static int verify(struct soap *soap, ds__SignatureType *signature, struct soap_dom_element *dom, X509 *by) {
  struct soap_dom_element *whole = soap->dom;
  _wsse__Security *security = soap->header->wsse__Security;
  ds__SignatureType *own = security->ds__Signature;
  EVP_PKEY *key = X509_get_pubkey(by);
  int rsa = EVP_PKEY_base_id(key) == EVP_PKEY_RSA, method, bits;
  struct soap_dom_attribute *hidden = declaration(dom);
  const char *name = hidden ? hidden->name : NULL;
  soap->dom = dom;
  if (hidden) hidden->name = NULL;
  security->ds__Signature = signature;
  int good = !soap_wsse_get_SignedInfo_SignatureMethod(soap, &method, &bits)
      && method == (rsa ? SOAP_SMD_VRFY_RSA_SHA256 : SOAP_SMD_VRFY_ECDSA_SHA256)
      && signature->SignatureValue && (rsa || der(soap, signature))
      && !soap_wsse_verify_SignatureValue(soap, method, key, 0);
  if (hidden) hidden->name = name;
  good = good && !soap_wsse_verify_SignedInfo(soap);
  security->ds__Signature = own;
  soap_header(soap);
  soap->header->wsse__Security = security; /* which a failure removes */
  soap->dom = whole;
  EVP_PKEY_free(key);
  return good;
}

static int issued(X509 *holder) {
  X509_STORE_CTX *context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, authorities, holder, NULL);
  int good = X509_verify_cert(context) == 1;
  X509_STORE_CTX_free(context);
  return good;
}

/* authenticated is the statement that names the holder. */
static struct saml1__AuthenticationStatementType *authenticated(struct saml1__AssertionType *a) {
  for (int i = 0; i < a->__size_AssertionType; i++)
    if (a->__union_AssertionType[i].saml1__AuthenticationStatement) return a->__union_AssertionType[i].saml1__AuthenticationStatement;
  return NULL;
}

/* refers says whether a signature is over exactly one element, by this identifier. */
static int refers(ds__SignatureType *signature, const char *id) {
  return signature->SignedInfo && signature->SignedInfo->__sizeReference == 1 && signature->SignedInfo->Reference[0]->URI
      && signature->SignedInfo->Reference[0]->URI[0] == '#' && !strcmp(signature->SignedInfo->Reference[0]->URI + 1, id);
}

static const char *admit_assertion(struct soap *soap, struct saml1__AssertionType *assertion, X509 **holder) {
  struct soap_dom_element *element = soap_dom_find(soap->dom, NULL, SAML, "Assertion", 0);
  struct saml1__ConditionsType *window = assertion->saml1__Conditions;
  time_t now = time(NULL);
  if (!window || !window->NotBefore || !window->NotOnOrAfter || now < window->NotBefore->tv_sec || now >= window->NotOnOrAfter->tv_sec) return "assertion expired";
  if (!element || soap_dom_find_next(element, NULL, SAML, "Assertion", 0) || !assertion->ds__Signature) return "assertion signature";

  X509 *issuer = certificate(soap, assertion->ds__Signature->KeyInfo);
  int trusted = 0;
  for (int i = 0; issuer && services[i]; i++) trusted |= !X509_cmp(issuer, services[i]);
  int good = trusted && refers(assertion->ds__Signature, assertion->AssertionID) && verify(soap, assertion->ds__Signature, element, issuer);
  X509_free(issuer);
  if (!trusted) return "sts untrusted";
  if (!good) return "assertion signature";

  struct saml1__AuthenticationStatementType *statement = authenticated(assertion);
  struct saml1__SubjectType *subject = statement ? statement->saml1__Subject : NULL;
  struct saml1__SubjectConfirmationType *c = subject ? subject->saml1__SubjectConfirmation ? subject->saml1__SubjectConfirmation : subject->saml1__SubjectConfirmation_ : NULL;
  if (!c || c->__sizeConfirmationMethod != 1 || strcmp(c->saml1__ConfirmationMethod[0], "urn:oasis:names:tc:SAML:1.0:cm:holder-of-key")) return "holder untrusted";
  *holder = certificate(soap, c->ds__KeyInfo);
  return *holder && issued(*holder) ? NULL : "holder untrusted";
}

/* admit gives why a call is refused, or NULL and the assertion. */
static const char *admit(struct soap *soap, struct saml1__AssertionType **out) {
  _wsse__Security *security = soap_wsse_Security(soap);
  _wsu__Timestamp *timestamp = security ? security->wsu__Timestamp : NULL;
  if (!timestamp || !timestamp->Created || !timestamp->Expires || soap_wsse_verify_Timestamp(soap)) return "timestamp";
  struct saml1__AssertionType *assertion = security->saml1__Assertion;
  if (!assertion || !assertion->AssertionID) return "assertion signature";
  X509 *holder = NULL;
  const char *why = admit_assertion(soap, assertion, &holder);
  if (!why) {
    ds__SignatureType *signature = security->ds__Signature;
    struct _wsse__SecurityTokenReference *reference = signature && signature->KeyInfo ? signature->KeyInfo->wsse__SecurityTokenReference : NULL;
    if (!reference || !reference->KeyIdentifier || !reference->KeyIdentifier->__item || strcmp(reference->KeyIdentifier->__item, assertion->AssertionID)
        || !verify(soap, signature, soap->dom, holder) || soap_wsse_verify_body(soap) || soap_wsse_verify_element(soap, WSU, "Timestamp") != 1)
      why = "message signature";
  }
  X509_free(holder);
  soap->error = SOAP_OK;
  *out = assertion;
  return why;
}

int __t__Ask(struct soap *soap, char *ask, struct __t__AskResponse *out) {
  struct saml1__AssertionType *assertion = NULL;
  const char *why = admit(soap, &assertion);
  (void)ask;
  soap_wsse_delete_Security(soap);
  soap->dom = NULL;
  if (why) return soap_sender_fault(soap, why, NULL);
  out->t__Answer = "false";
  for (int i = 0; i < assertion->__size_AssertionType; i++) {
    struct saml1__AttributeStatementType *s = assertion->__union_AssertionType[i].saml1__AttributeStatement;
    for (int j = 0; s && j < s->__sizeAttribute; j++)
      if (!strcmp(s->saml1__Attribute[j].AttributeName, DOCTOR) && s->saml1__Attribute[j].__sizeAttributeValue == 1 && !strcmp(s->saml1__Attribute[j].saml1__AttributeValue[0], "true"))
        out->t__Answer = "true";
  }
  return SOAP_OK;
}

static void *until_end(void *unused) {
  while (getchar() != EOF) {}
  exit(0);
  return unused;
}

int main(int n, char **words) {
  struct soap *soap = soap_new1(SOAP_IO_BUFFER);
  struct sockaddr_in address;
  socklen_t size = sizeof(address);
  pthread_t watcher;
  authorities = X509_STORE_new();
  X509_STORE_add_cert(authorities, read_certificate(words[2]));
  for (int i = 3; i < n && i < 10; i++) services[i - 3] = read_certificate(words[i]);
  soap_set_namespaces(soap, namespaces);
  soap_register_plugin(soap, soap_wsse);
  soap->accept_timeout = 0;
  soap->recv_timeout = soap->send_timeout = 60;
  if (!soap_valid_socket(soap_bind(soap, "127.0.0.1", 0, 16))) return soap_print_fault(soap, stderr), 1;
  getsockname(soap->master, (struct sockaddr *)&address, &size);
  printf("listening %d\n", ntohs(address.sin_port));
  fflush(stdout);
  pthread_create(&watcher, NULL, until_end, NULL);
  while (soap_valid_socket(soap_accept(soap))) {
    soap_wsse_verify_init(soap);
    soap_serve(soap);
    soap_destroy(soap);
    soap_end(soap);
  }
  return 1;
}
