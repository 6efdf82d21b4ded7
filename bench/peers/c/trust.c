#include "peer.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <xmlsec/openssl/crypto.h>
#include <xmlsec/openssl/evp.h>

static X509 *read_certificate(const char *dir, const char *name, const char *what)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s-%s.pem", dir, name, what);
	FILE *f = fopen(path, "r");
	if (f == NULL)
		return NULL;
	X509 *certificate = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	return certificate;
}

/* trust_load trusts the root NAME-root.pem, with NAME-ca.pem between. */
int trust_load(struct trust *t, const char *dir, const char *name)
{
	X509 *root = read_certificate(dir, name, "root"), *ca = read_certificate(dir, name, "ca");
	if (root == NULL || ca == NULL)
		return -1;
	t->store = X509_STORE_new();
	t->intermediates = sk_X509_new_null();
	return X509_STORE_add_cert(t->store, root) == 1 && sk_X509_push(t->intermediates, ca) > 0 ? 0 : -1;
}

/* verify_chain builds and verifies the path, for the purpose of client authentication. */
static int verify_chain(struct service *s, struct trust *t, X509 *leaf)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int good = ctx != NULL && X509_STORE_CTX_init(ctx, t->store, leaf, t->intermediates) == 1;
	if (good) {
		X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
		X509_VERIFY_PARAM_set_time(param, s->now);
		X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT);
		good = X509_verify_cert(ctx) == 1;
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

static int to_time(const ASN1_TIME *from, time_t *to)
{
	struct tm tm;
	if (ASN1_TIME_to_tm(from, &tm) != 1)
		return -1;
	*to = timegm(&tm);
	return 0;
}

static struct party *party_new(const unsigned char *der, long length, const unsigned char *digest)
{
	struct party *p = calloc(1, sizeof *p);
	memcpy(p->digest, digest, sizeof p->digest);
	const unsigned char *at = der;
	p->certificate = d2i_X509(NULL, &at, length);
	if (p->certificate == NULL || at != der + length)
		return p;
	X509_NAME_get_text_by_NID(X509_get_subject_name(p->certificate), NID_serialNumber, p->ssin, sizeof p->ssin);
	if (to_time(X509_get0_notBefore(p->certificate), &p->not_before) != 0 || to_time(X509_get0_notAfter(p->certificate), &p->not_after) != 0)
		return p;
	EVP_PKEY *key = X509_get_pubkey(p->certificate);
	xmlSecKeyDataPtr data = key == NULL ? NULL : xmlSecOpenSSLEvpKeyAdopt(key);
	if (data == NULL) {
		EVP_PKEY_free(key);
		return p;
	}
	p->key = xmlSecKeyCreate();
	if (p->key == NULL || xmlSecKeySetValue(p->key, data) != 0) {
		xmlSecKeyDataDestroy(data);
		if (p->key != NULL)
			xmlSecKeyDestroy(p->key);
		p->key = NULL;
	}
	return p;
}

static void party_free(struct party *p)
{
	X509_free(p->certificate);
	if (p->key != NULL)
		xmlSecKeyDestroy(p->key);
	free(p);
}

/* party_release gives a party back that is not kept. */
void party_release(struct service *s, struct party *p)
{
	if (p != NULL && !s->cached)
		party_free(p);
}

/* trust_verify gives the owner of a certificate in base64, NULL and why when it is not trusted. */
struct party *trust_verify(struct service *s, struct trust *t, const xmlChar *base64, const char **why)
{
	unsigned char der[8192], digest[32];
	size_t length = base64 == NULL ? 0 : strlen((const char *)base64);
	if (length == 0 || length % 4 != 0 || length / 4 * 3 > sizeof der) {
		*why = "certificate: size";
		return NULL;
	}
	int decoded = EVP_DecodeBlock(der, base64, (int)length);
	if (decoded < 0) {
		*why = "certificate: base64";
		return NULL;
	}
	decoded -= (base64[length - 1] == '=') + (base64[length - 2] == '=');
	SHA256(der, (size_t)decoded, digest);
	for (struct party *p = t->kept; p != NULL; p = p->next)
		if (memcmp(p->digest, digest, sizeof digest) == 0) {
			if (s->now >= p->not_before && s->now <= p->not_after)
				return p;
			*why = "certificate: validity";
			return NULL;
		}
	struct party *p = party_new(der, decoded, digest);
	if (p->key == NULL || !verify_chain(s, t, p->certificate)) {
		party_free(p);
		*why = "certificate: chain";
		return NULL;
	}
	if (s->cached) {
		p->next = t->kept;
		t->kept = p;
	}
	return p;
}
