<?php
// What consumer and provider share: names of the wire, signing and verifying by ext-dom and ext-openssl.

declare(strict_types=1);

const SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';
const WSS = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-';
const WSSE = WSS . 'wssecurity-secext-1.0.xsd';
const WSU = WSS . 'wssecurity-utility-1.0.xsd';
const BASE64 = WSS . 'soap-message-security-1.0#Base64Binary';
const X509V3 = WSS . 'x509-token-profile-1.0#X509v3';
const ASSERTION_ID = 'http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID';
const DSIG = 'http://www.w3.org/2000/09/xmldsig#';
const SAML = 'urn:oasis:names:tc:SAML:1.0:assertion';
const SAMLP = 'urn:oasis:names:tc:SAML:1.0:protocol';
const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const ENVELOPED = DSIG . 'enveloped-signature';
const SHA256 = 'http://www.w3.org/2001/04/xmlenc#sha256';
const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';
const ECDSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256';
const DOCTOR = 'urn:be:fgov:person:ssin:doctor:boolean';

/** Why a call is refused. */
final class Refused extends Exception
{
}

function demand(bool $good, string $why): void
{
    if (!$good) {
        throw new Refused($why);
    }
}

function parse(string $text): DOMDocument
{
    $document = new DOMDocument();
    demand(@$document->loadXML($text, LIBXML_NONET) && $document->doctype === null, 'message signature');
    return $document;
}

function child(?DOMElement $parent, string $namespace, string $name): ?DOMElement
{
    foreach ($parent?->childNodes ?? [] as $n) {
        if ($n instanceof DOMElement && $n->localName === $name && $n->namespaceURI === $namespace) {
            return $n;
        }
    }
    return null;
}

/** DER of the certificate in the KeyInfo below. */
function certificate(?DOMElement $parent): string
{
    $text = child(child(child($parent, DSIG, 'KeyInfo'), DSIG, 'X509Data'), DSIG, 'X509Certificate')?->textContent ?? '';
    return base64_decode($text, false) ?: '';
}

function pem(string $der): string
{
    return "-----BEGIN CERTIFICATE-----\n" . chunk_split(base64_encode($der), 64, "\n") . "-----END CERTIFICATE-----\n";
}

function add(DOMElement $parent, string $namespace, string $name, string $text = '', array $attributes = []): DOMElement
{
    $e = $parent->appendChild($parent->ownerDocument->createElementNS($namespace, $name));
    $e->appendChild($parent->ownerDocument->createTextNode($text));
    foreach ($attributes as $key => $value) {
        $e->setAttribute($key, $value);
    }
    return $e;
}

/** The SignatureValue of a text. OpenSSL writes ECDSA as DER; XML Signature wants r and s (RFC 6931 section 2.3.6). */
function sign(string $text, OpenSSLAsymmetricKey $key, bool $raw = true): string
{
    openssl_sign($text, $value, $key, OPENSSL_ALGO_SHA256);
    if ($raw && openssl_pkey_get_details($key)['type'] === OPENSSL_KEYTYPE_EC) {
        $size = intdiv(openssl_pkey_get_details($key)['bits'] + 7, 8);
        $r = ltrim(substr($value, 4, ord($value[3])), "\0");
        $s = ltrim(substr($value, 6 + ord($value[3])), "\0");
        $value = str_pad($r, $size, "\0", STR_PAD_LEFT) . str_pad($s, $size, "\0", STR_PAD_LEFT);
    }
    return base64_encode($value);
}

/** r and s as OpenSSL reads them: short lengths suffice up to P-384. */
function der(string $value): string
{
    $integer = function (string $n): string {
        $n = ltrim($n, "\0");
        $n = $n === '' || ord($n[0]) > 127 ? "\0" . $n : $n;
        return "\x02" . chr(strlen($n)) . $n;
    };
    [$r, $s] = str_split($value, intdiv(strlen($value), 2));
    $both = $integer($r) . $integer($s);
    return "\x30" . chr(strlen($both)) . $both;
}

/** Verifies a signature with the key of a certificate, over exactly these elements, by their identifiers. */
function verify(?DOMElement $signature, string $certificate, array $elements, string $namespace, string $attribute, string $why): void
{
    $info = child($signature, DSIG, 'SignedInfo');
    $key = openssl_pkey_get_public(pem($certificate));
    demand($info !== null && $key !== false, $why);
    $rsa = openssl_pkey_get_details($key)['type'] === OPENSSL_KEYTYPE_RSA;
    demand(child($info, DSIG, 'CanonicalizationMethod')?->getAttribute('Algorithm') === EXCLUSIVE, $why);
    demand(child($info, DSIG, 'SignatureMethod')?->getAttribute('Algorithm') === ($rsa ? RSA_SHA256 : ECDSA_SHA256), $why);
    $value = base64_decode(child($signature, DSIG, 'SignatureValue')?->textContent ?? '', false);
    demand($rsa || strlen($value) % 2 === 0 && $value !== '', $why);
    demand(openssl_verify($info->C14N(true), $rsa ? $value : der($value), $key, OPENSSL_ALGO_SHA256) === 1, $why);
    $digests = [];
    foreach ($info->getElementsByTagNameNS(DSIG, 'Reference') as $r) {
        $transforms = [];
        foreach ($r->getElementsByTagNameNS(DSIG, 'Transform') as $t) {
            $transforms[] = $t->getAttribute('Algorithm');
        }
        demand($transforms === [EXCLUSIVE] || $transforms === [ENVELOPED, EXCLUSIVE], $why);
        demand(child($r, DSIG, 'DigestMethod')?->getAttribute('Algorithm') === SHA256, $why);
        $digests[$r->getAttribute('URI')] = [base64_decode(child($r, DSIG, 'DigestValue')?->textContent ?? '', false), count($transforms) === 2];
    }
    demand(count($digests) === count($elements), $why);
    foreach ($elements as $e) {
        $id = $namespace === '' ? $e->getAttribute($attribute) : $e->getAttributeNS($namespace, $attribute);
        demand($id !== '' && isset($digests["#$id"]), $why);
        [$digest, $enveloped] = $digests["#$id"];
        if ($enveloped) { // the signature is taken out while its parent is digested
            $next = $signature->nextSibling;
            $signature->remove();
        }
        $good = hash_equals($digest, hash('sha256', $e->C14N(true), true));
        if ($enveloped) {
            $e->insertBefore($signature, $next);
        }
        demand($good, $why);
    }
}
