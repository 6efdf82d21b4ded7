/* c-peer cached|each DIR: see ../README.md for the commands on standard input. */
#include "peer.h"

#include <libxml/parser.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <xmlsec/errors.h>
#include <xmlsec/keysdata.h>

static void die(const char *what)
{
	fprintf(stderr, "c-peer: %s\n", what);
	exit(1);
}

static char *read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		die(path);
	size_t room = 1 << 20;
	char *content = malloc(room + 1);
	*size = fread(content, 1, room, f);
	content[*size] = 0;
	fclose(f);
	return content;
}

static char *read_in(const char *dir, const char *name, size_t *size)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return read_file(path, size);
}

static void load_facts(struct service *s, const char *dir)
{
	size_t size;
	for (char *line = strtok(read_in(dir, "facts.tsv", &size), "\n"); line != NULL; line = strtok(NULL, "\n")) {
		char *tab = strchr(line, '\t');
		if (tab == NULL)
			die("facts.tsv");
		*tab = 0;
		struct fact *f = calloc(1, sizeof *f);
		f->name = line, f->value = tab + 1, f->next = s->facts;
		s->facts = f;
	}
}

static void load_key(struct service *s, const char *dir)
{
	char path[4096];
	size_t size;
	snprintf(path, sizeof path, "%s/sts.key", dir);
	s->key = xmlSecCryptoAppKeyLoad(path, xmlSecKeyDataFormatPem, NULL, NULL, NULL);
	if (s->key == NULL)
		die(path);
	s->method = xmlSecKeyDataCheckId(xmlSecKeyGetValue(s->key), xmlSecKeyDataRsaId) ? xmlSecTransformRsaSha256Id : xmlSecTransformEcdsaSha256Id;
	unsigned char *der = (unsigned char *)read_in(dir, "sts.der", &size);
	s->certificate = malloc(size / 3 * 4 + 8);
	EVP_EncodeBlock((unsigned char *)s->certificate, der, (int)size);
	free(der);
}

static void load(struct service *s, const char *dir)
{
	size_t size;
	char *now = read_in(dir, "now", &size);
	s->now = (time_t)atoll(now);
	free(now);
	if (trust_load(&s->citizens, dir, "citizen") != 0 || trust_load(&s->platform, dir, "ehealth") != 0)
		die("authorities");
	load_facts(s, dir);
	load_key(s, dir);
	s->parser = xmlNewParserCtxt();
	s->out = xmlBufferCreateSize(32 << 10);
	if (s->parser == NULL || s->out == NULL)
		die("memory");
}

/* answer answers a message into s->out; NULL, or why not. */
static const char *answer(struct service *s, const char *message, size_t size)
{
	const char *why = NULL;
	struct query q = {0};
	xmlDocPtr doc = xmlCtxtReadMemory(s->parser, message, (int)size, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING), out = NULL;
	if (doc == NULL)
		return "not well-formed";
	if (doc->intSubset != NULL)
		why = "document type";
	else if (request_verify(s, doc, &q, &why) == 0 && (out = answer_build(s, &q, &why)) != NULL) {
		xmlBufferEmpty(s->out);
		why = xmlNodeDump(s->out, out, xmlDocGetRootElement(out), 0, 0) > 0 ? NULL : "answer";
		xmlFreeDoc(out);
	}
	xmlFreeDoc(doc);
	return why;
}

static double cpu(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void run(struct service *s, const char *request, size_t size, long n)
{
	double start = cpu();
	for (long i = 0; i < n; i++) {
		const char *why = answer(s, request, size);
		if (why != NULL) {
			printf("refused: %s\n", why);
			return;
		}
	}
	printf("%.1f\n", (cpu() - start) / (double)n);
}

static void answer_file(struct service *s, const char *from, const char *to)
{
	size_t size;
	char *message = read_file(from, &size);
	const char *why = answer(s, message, size);
	free(message);
	if (why != NULL) {
		printf("refused: %s\n", why);
		return;
	}
	FILE *f = fopen(to, "wb");
	if (f == NULL || fwrite(xmlBufferContent(s->out), 1, (size_t)xmlBufferLength(s->out), f) != (size_t)xmlBufferLength(s->out) || fclose(f) != 0)
		die(to);
	puts("ok");
}

int main(int argc, char **argv)
{
	static struct service s;
	if (argc != 3 || (strcmp(argv[1], "cached") != 0 && strcmp(argv[1], "each") != 0))
		die("usage: c-peer cached|each DIR");
	s.cached = strcmp(argv[1], "cached") == 0;
	xmlInitParser();
	if (xmlSecInit() < 0 || xmlSecCryptoAppInit(NULL) < 0 || xmlSecCryptoInit() < 0)
		die("xmlsec does not start");
	xmlSecErrorsSetCallback(NULL);
	load(&s, argv[2]);
	size_t size;
	char *request = read_in(argv[2], "request.xml", &size);
	char line[8192], from[4096], to[4096];
	long n;
	while (fgets(line, sizeof line, stdin) != NULL) {
		if (strcmp(line, "version\n") == 0)
			printf("xmlsec %s, libxml2 %s, %s\n", XMLSEC_VERSION, LIBXML_DOTTED_VERSION, OpenSSL_version(OPENSSL_VERSION));
		else if (sscanf(line, "answer %4095s %4095s", from, to) == 2)
			answer_file(&s, from, to);
		else if (sscanf(line, "run %ld", &n) == 1 && n > 0)
			run(&s, request, size, n);
		else
			die("commands are: version, answer FILE OUT, run N");
		fflush(stdout);
	}
	return 0;
}
