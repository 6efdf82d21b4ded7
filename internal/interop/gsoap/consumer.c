/* consumer: asks for tokens and calls with them, by gSOAP and its wsse plugin. See the package comment of interop. */

#include "soapH.h"
#include "consumer.nsmap"
#include "wsseapi.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#define ASSERTION_ID "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID"
#define IDENTIFICATION "urn:be:fgov:identification-namespace"
#define CERTIFIED "urn:be:fgov:certified-namespace:ehealth"
#define SSIN "urn:be:fgov:person:ssin"
#define HOLDER_SSIN "urn:be:fgov:ehealth:1.0:certificateholder:person:ssin"
#define DOCTOR "urn:be:fgov:person:ssin:doctor:boolean"

/* credential is a certificate with its key. */
struct credential {
  X509 *certificate;
  EVP_PKEY *key;
};

/* answer is what came back, as it stood on the wire: the assertion is kept as it was written. */
static char answer[1 << 18];
static size_t answered;
static size_t (*plain_recv)(struct soap *, char *, size_t);

static size_t tee_recv(struct soap *soap, char *s, size_t n) {
  size_t got = plain_recv(soap, s, n);
  size_t room = sizeof(answer) - 1 - answered;
  size_t kept = got < room ? got : room;
  memcpy(answer + answered, s, kept);
  answered += kept;
  answer[answered] = 0;
  return got;
}

/* change is what the body says when it is sent, and not what was signed; of equal length. */
static const char *change_from, *change_to;
static int (*plain_send)(struct soap *, const char *, size_t);

static int changing_send(struct soap *soap, const char *s, size_t n) {
  size_t length = change_from ? strlen(change_from) : 0;
  char *copy = (char *)soap_malloc(soap, n);
  memcpy(copy, s, n);
  for (size_t i = 0; length && i + length <= n; i++)
    if (!memcmp(copy + i, change_from, length)) memcpy(copy + i, change_to, length);
  return plain_send(soap, copy, n);
}

static struct credential read_credential(const char *base) {
  struct credential c = {NULL, NULL};
  char path[4096];
  FILE *f;
  snprintf(path, sizeof(path), "%s.pem", base);
  if ((f = fopen(path, "r"))) c.certificate = PEM_read_X509(f, NULL, NULL, NULL), fclose(f);
  snprintf(path, sizeof(path), "%s.key", base);
  if ((f = fopen(path, "r"))) c.key = PEM_read_PrivateKey(f, NULL, NULL, NULL), fclose(f);
  if (!c.certificate || !c.key) fprintf(stderr, "%s: not read\n", base), exit(1);
  return c;
}

static void free_credential(struct credential *c) {
  X509_free(c->certificate);
  EVP_PKEY_free(c->key);
}

/* name is in the form of RFC 2253, as OpenSSL writes it. */
static char *name(struct soap *soap, X509_NAME *n) {
  BIO *out = BIO_new(BIO_s_mem());
  char *text, *copy;
  X509_NAME_print_ex(out, n, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  long length = BIO_get_mem_data(out, &text);
  copy = (char *)soap_malloc(soap, length + 1);
  memcpy(copy, text, length);
  copy[length] = 0;
  BIO_free(out);
  return copy;
}

static char *base64(struct soap *soap, X509 *certificate) {
  unsigned char *der = NULL;
  int length = i2d_X509(certificate, &der);
  char *text = soap_s2base64(soap, der, NULL, length);
  OPENSSL_free(der);
  return text;
}

#define NEW(type, var) struct type *var = (struct type *)memset(soap_malloc(soap, sizeof(struct type)), 0, sizeof(struct type))

static struct saml__SubjectType *subject(struct soap *soap, X509 *identity) {
  NEW(saml__SubjectType, s);
  NEW(saml__NameIdentifierType, n);
  n->__item = name(soap, X509_get_subject_name(identity));
  n->NameQualifier = name(soap, X509_get_issuer_name(identity));
  n->Format = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName";
  s->saml__NameIdentifier = n;
  return s;
}

static struct samlp__RequestType *query(struct soap *soap, char *ssin, X509 *identity, X509 *holder) {
  time_t now = time(NULL);
  const char *uuid = soap_rand_uuid(soap, "request-");
  NEW(samlp__RequestType, request);
  request->RequestID = soap_strdup(soap, uuid);
  request->IssueInstant = soap_strdup(soap, soap_dateTime2s(soap, now));
  request->MajorVersion = request->MinorVersion = "1";

  NEW(saml__AssertionType, assertion);
  assertion->AssertionID = soap_strdup(soap, soap_rand_uuid(soap, "assertion-"));
  assertion->IssueInstant = request->IssueInstant;
  assertion->Issuer = name(soap, X509_get_subject_name(identity));
  assertion->MajorVersion = assertion->MinorVersion = "1";
  NEW(saml__ConditionsType, conditions);
  conditions->NotBefore = request->IssueInstant;
  conditions->NotOnOrAfter = soap_strdup(soap, soap_dateTime2s(soap, now + 1800));
  assertion->saml__Conditions = conditions;
  NEW(saml__AttributeStatementType, statement);
  statement->saml__Subject = subject(soap, identity);
  struct saml__AttributeType claims[] = {{HOLDER_SSIN, IDENTIFICATION, ssin}, {SSIN, IDENTIFICATION, ssin}};
  statement->__sizeAttribute = 2;
  statement->saml__Attribute = (struct saml__AttributeType *)memcpy(soap_malloc(soap, sizeof(claims)), claims, sizeof(claims));
  assertion->saml__AttributeStatement = statement;

  NEW(saml__SubjectConfirmationType, confirmation);
  confirmation->saml__ConfirmationMethod = "urn:oasis:names:tc:SAML:1.0:cm:holder-of-key";
  NEW(saml__SubjectConfirmationDataType, data);
  data->saml__Assertion = assertion;
  confirmation->saml__SubjectConfirmationData = data;
  NEW(ds__KeyInfoType, info);
  NEW(ds__X509DataType, x509);
  x509->X509Certificate = base64(soap, holder);
  info->X509Data = x509;
  confirmation->ds__KeyInfo = info;

  NEW(samlp__AttributeQueryType, q);
  q->saml__Subject = subject(soap, identity);
  q->saml__Subject->saml__SubjectConfirmation = confirmation;
  struct saml__AttributeDesignatorType wanted[] = {{HOLDER_SSIN, IDENTIFICATION}, {SSIN, IDENTIFICATION}, {DOCTOR, CERTIFIED}};
  q->__sizeDesignator = 3;
  q->saml__AttributeDesignator = (struct saml__AttributeDesignatorType *)memcpy(soap_malloc(soap, sizeof(wanted)), wanted, sizeof(wanted));
  request->samlp__AttributeQuery = q;
  return request;
}

/* begin makes a context; its Timestamp is there, and what the variant says of it. */
static struct soap *begin(const char *variant) {
  struct soap *soap = soap_new1(SOAP_XML_CANONICAL);
  soap_set_namespaces(soap, namespaces);
  soap_register_plugin(soap, soap_wsse);
  soap->recv_timeout = soap->send_timeout = 60;
  plain_recv = soap->frecv;
  soap->frecv = tee_recv;
  plain_send = soap->fsend;
  soap->fsend = changing_send;
  change_from = change_to = NULL;
  answered = 0;
  soap_wsse_add_Timestamp(soap, "Time", 60);
  if (!strcmp(variant, "stale")) {
    struct _wsu__Timestamp *t = soap->header->wsse__Security->wsu__Timestamp;
    t->Created = soap_strdup(soap, soap_dateTime2s(soap, time(NULL) - 3600));
    t->Expires = soap_strdup(soap, soap_dateTime2s(soap, time(NULL) - 3540));
  }
  return soap;
}

static void end(struct soap *soap) {
  soap_destroy(soap);
  soap_end(soap);
  soap_free(soap);
}

/* sign signs Body, Timestamp and, when it is there, the token: whatever has a wsu:Id. */
static void sign(struct soap *soap, struct credential *by, const char *variant) {
  int rsa = EVP_PKEY_base_id(by->key) == EVP_PKEY_RSA;
  int method = !rsa ? SOAP_SMD_SIGN_ECDSA_SHA256 : !strcmp(variant, "sha1") ? SOAP_SMD_SIGN_RSA_SHA1 : SOAP_SMD_SIGN_RSA_SHA256;
  soap_wsse_sign_body(soap, method, by->key, 0);
  if (!strcmp(variant, "body-unsigned")) soap_wsse_sign_only(soap, "Time X509Token");
  if (!strcmp(variant, "token-unsigned")) soap_wsse_sign_only(soap, "Time Body");
  if (!strcmp(variant, "inclusive")) soap_wsse_set_InclusiveNamespaces(soap, "SOAP-ENV wsu");
}

static void fault(struct soap *soap) {
  const char *code = soap->fault && soap->fault->faultcode ? soap->fault->faultcode : NULL;
  const char *local = code ? strrchr(code, ':') : NULL;
  const char *soa = strstr(answer, "<Code>");
  if (!local || !soa) {
    char text[512];
    soap_sprint_fault(soap, text, sizeof(text));
    text[strcspn(text, "\n")] = 0;
    printf("error %s\n", text);
    return;
  }
  printf("fault %s %.9s\n", local + 1, soa + 6);
}

static void token(char **w) {
  const char *url = w[1], *out = w[5], *variant = w[6];
  struct credential identity = read_credential(w[3]), holder = read_credential(w[4]);
  struct soap *soap = begin(variant);
  struct __samlp__QueryResponse response;
  soap_wsse_add_BinarySecurityTokenX509(soap, "X509Token", identity.certificate);
  soap_wsse_add_KeyInfo_SecurityTokenReferenceX509(soap, "#X509Token");
  sign(soap, &identity, variant);
  if (!strcmp(variant, "changed-body")) change_from = "holder-of-key<", change_to = "holder-of-kez<";
  if (soap_call___samlp__Query(soap, url, "urn:be:fgov:ehealth:sts:protocol:v1:RequestSecurityToken", query(soap, w[2], identity.certificate, holder.certificate), &response)) {
    fault(soap);
  } else if (!response.samlp__Response->saml__Assertion) {
    printf("status %s\n", response.samlp__Response->samlp__Status->samlp__StatusMessage);
  } else {
    const char *value = "", *first = strstr(answer, "<Assertion "), *last = first ? strstr(first, "</Assertion>") : NULL;
    struct saml__AttributeStatementType *s = response.samlp__Response->saml__Assertion->saml__AttributeStatement;
    for (int i = 0; s && i < s->__sizeAttribute; i++)
      if (!strcmp(s->saml__Attribute[i].AttributeName, DOCTOR)) value = s->saml__Attribute[i].saml__AttributeValue;
    FILE *f = fopen(out, "w");
    if (f && last) {
      fwrite(first, 1, last + strlen("</Assertion>") - first, f);
      fclose(f);
      printf("ok %s\n", value);
    } else {
      printf("error no assertion\n");
    }
  }
  end(soap);
  free_credential(&identity);
  free_credential(&holder);
}

static void call(char **w) {
  const char *url = w[1], *file = w[2], *variant = w[4];
  struct credential holder = read_credential(w[3]);
  struct soap *soap = begin(variant);
  struct __t__CallResponse response;
  char *assertion = (char *)soap_malloc(soap, 1 << 16), id[256] = "";
  FILE *f = fopen(file, "r");
  size_t length = f ? fread(assertion, 1, (1 << 16) - 1, f) : 0;
  if (f) fclose(f);
  assertion[length] = 0;
  const char *at = strstr(assertion, "AssertionID=\"");
  if (at) sscanf(at, "AssertionID=\"%255[^\"]", id);
  soap->header->wsse__Security->__any = assertion;
  NEW(_wsse__SecurityTokenReference, reference);
  NEW(_wsse__KeyIdentifier, identifier);
  identifier->__item = id;
  identifier->ValueType = ASSERTION_ID;
  reference->KeyIdentifier = identifier;
  soap_wsse_add_KeyInfo(soap)->wsse__SecurityTokenReference = reference;
  sign(soap, &holder, variant);
  if (!strcmp(variant, "changed-body")) change_from = "doctor?", change_to = "doktor?";
  if (soap_call___t__Call(soap, url, "urn:sceau:interop:Ask", "doctor?", &response)) {
    fault(soap);
  } else {
    const char *value = "";
    struct echo__CallerType *c = response.echo__EchoResponse->echo__Caller;
    for (int i = 0; c && i < c->__sizeAttribute; i++)
      if (!strcmp(c->echo__Attribute[i].Name, DOCTOR)) value = c->echo__Attribute[i].echo__Value;
    printf("ok %s\n", value);
  }
  end(soap);
  free_credential(&holder);
}

int main(void) {
  static char line[1 << 14];
  while (fgets(line, sizeof(line), stdin)) {
    char *words[8] = {0}, *rest = line;
    int n = 0;
    line[strcspn(line, "\n")] = 0;
    for (char *word; n < 7 && (word = strsep(&rest, "\t"));) words[n++] = word;
    if (n == 7 && !strcmp(words[0], "token")) token(words);
    else if (n == 5 && !strcmp(words[0], "call")) call(words);
    else printf("error no such command\n");
    fflush(stdout);
  }
  return 0;
}
