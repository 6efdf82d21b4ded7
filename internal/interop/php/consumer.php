<?php
// consumer.php TEMPLATE: asks for tokens and calls with them, by ext-soap, ext-dom and ext-openssl. See the package comment of interop.

declare(strict_types=1);
require __DIR__ . '/wire.php';

final class Credential
{
    public string $der;
    public OpenSSLAsymmetricKey $key;
    public array $names;
    public string $method;

    public function __construct(string $base)
    {
        $pem = file_get_contents("$base.pem");
        $this->der = base64_decode(preg_replace('/-----[A-Z ]+-----/', '', $pem), false);
        $this->key = openssl_pkey_get_private(file_get_contents("$base.key"));
        $this->names = openssl_x509_parse($pem);
        $this->method = openssl_pkey_get_details($this->key)['type'] === OPENSSL_KEYTYPE_RSA ? RSA_SHA256 : ECDSA_SHA256;
    }

    /** Subject or issuer, most specific first; OpenSSL gives them by type, several values of one type in an array. */
    public function name(string $which): string
    {
        $parts = [];
        foreach ($this->names[$which] as $type => $values) {
            foreach ((array) $values as $value) {
                $parts[] = $type . '=' . (preg_match('/[=,+]/', $value) ? "\"$value\"" : $value);
            }
        }
        return implode(', ', array_reverse($parts));
    }
}

/** SoapClient with a Security header: what it would send is signed before it is sent. */
final class SignedClient extends SoapClient
{
    public string $answer = '';
    public Credential $by;
    public ?DOMElement $assertion = null;
    public string $variant = '-';

    public function __doRequest(string $request, string $location, string $action, int $version, bool $oneWay = false): ?string
    {
        $message = parse($request);
        $envelope = $message->documentElement;
        $body = child($envelope, SOAP, 'Body');
        $prefix = $envelope->prefix;
        $header = child($envelope, SOAP, 'Header') ?? $envelope->insertBefore($message->createElementNS(SOAP, "$prefix:Header"), $body);
        $security = add($header, WSSE, 'wsse:Security');
        $security->setAttributeNS(SOAP, "$prefix:mustUnderstand", '1');
        $created = time() - ($this->variant === 'stale' ? 3600 : 0);
        $timestamp = add($security, WSU, 'wsu:Timestamp');
        add($timestamp, WSU, 'wsu:Created', gmdate('Y-m-d\TH:i:s\Z', $created));
        add($timestamp, WSU, 'wsu:Expires', gmdate('Y-m-d\TH:i:s\Z', $created + 60));
        $signed = ['id-1' => $body, 'TS-1' => $timestamp];
        if ($this->assertion === null) {
            $signed['X509-1'] = add($security, WSSE, 'wsse:BinarySecurityToken', base64_encode($this->by->der), ['EncodingType' => BASE64, 'ValueType' => X509V3]);
        } else {
            $security->appendChild($message->importNode($this->assertion, true));
        }
        foreach ($signed as $id => $element) {
            $element->setAttributeNS(WSU, 'wsu:Id', $id);
        }
        if ($this->variant === 'body-unsigned') {
            unset($signed['id-1']);
        }
        if ($this->variant === 'token-unsigned') {
            unset($signed['X509-1']);
        }
        $reference = add(add(signature($security, $signed, $this->by, [EXCLUSIVE], $this->variant), DSIG, 'ds:KeyInfo'), WSSE, 'wsse:SecurityTokenReference');
        if ($this->assertion === null) {
            add($reference, WSSE, 'wsse:Reference', '', ['URI' => '#X509-1', 'ValueType' => X509V3]);
        } else {
            add($reference, WSSE, 'wsse:KeyIdentifier', $this->assertion->getAttribute('AssertionID'), ['ValueType' => ASSERTION_ID]);
        }
        if ($this->variant === 'changed-body') {
            $texts = (new DOMXPath($message))->query('.//text()', $body);
            $texts->item($texts->length - 1)->nodeValue .= '1';
        }
        return $this->answer = parent::__doRequest($message->saveXML(), $location, $action, $version, $oneWay) ?? '';
    }
}

/** Appends a ds:Signature over elements by their identifiers. */
function signature(DOMElement $parent, array $signed, Credential $by, array $transforms, string $variant = '-'): DOMElement
{
    $digests = array_map(fn (DOMElement $e): string => base64_encode(hash('sha256', $e->C14N(true), true)), $signed);
    $signature = add($parent, DSIG, 'ds:Signature');
    $info = add($signature, DSIG, 'ds:SignedInfo');
    add($info, DSIG, 'ds:CanonicalizationMethod', '', ['Algorithm' => EXCLUSIVE]);
    add($info, DSIG, 'ds:SignatureMethod', '', ['Algorithm' => $by->method]);
    foreach ($digests as $id => $digest) {
        $reference = add($info, DSIG, 'ds:Reference', '', ['URI' => "#$id"]);
        $list = add($reference, DSIG, 'ds:Transforms');
        foreach ($transforms as $transform) {
            add($list, DSIG, 'ds:Transform', '', ['Algorithm' => $transform]);
        }
        add($reference, DSIG, 'ds:DigestMethod', '', ['Algorithm' => SHA256]);
        add($reference, DSIG, 'ds:DigestValue', $digest);
    }
    add($signature, DSIG, 'ds:SignatureValue', sign($info->C14N(true), $by->key, $variant !== 'der'));
    return $signature;
}

final class Consumer
{
    public function __construct(private string $template)
    {
    }

    private static function client(string $url, string $namespace, string $variant): SignedClient
    {
        $client = new SignedClient(null, ['location' => $url, 'uri' => $namespace, 'style' => SOAP_DOCUMENT, 'use' => SOAP_LITERAL, 'keep_alive' => false]);
        $client->variant = $variant;
        return $client;
    }

    public function token(string $url, string $ssin, string $identity, string $holder, string $out, string $variant): string
    {
        $identity = new Credential($identity);
        $holder = new Credential($holder);
        $values = [
            'UUID' => bin2hex(random_bytes(16)), 'NOW' => gmdate('Y-m-d\TH:i:s\Z'), 'END' => gmdate('Y-m-d\TH:i:s\Z', time() + 8 * 3600), 'SSIN' => $ssin,
            'SUBJECT' => htmlspecialchars($identity->name('subject')), 'ISSUER' => htmlspecialchars($identity->name('issuer')), 'HOLDER' => base64_encode($holder->der),
        ];
        $request = parse(preg_replace_callback('/\{(\w+)\}/', fn (array $m): string => $values[$m[1]], $this->template))->documentElement;
        if ($identity->der !== $holder->der) {
            $signature = signature($request, [$request->getAttribute('RequestID') => $request], $holder, [ENVELOPED, EXCLUSIVE]);
            add(add(add($signature, DSIG, 'ds:KeyInfo'), DSIG, 'ds:X509Data'), DSIG, 'ds:X509Certificate', base64_encode($holder->der));
            $request->insertBefore($signature, $request->firstChild);
        }
        $client = self::client($url, SAMLP, $variant);
        $client->by = $identity;
        $body = new SoapVar($request->ownerDocument->saveXML($request), XSD_ANYXML);
        $client->__soapCall('Request', [$body], ['soapaction' => 'urn:be:fgov:ehealth:sts:protocol:v1:RequestSecurityToken']);
        $answer = parse($client->answer);
        $assertion = $answer->getElementsByTagNameNS(SAML, 'Assertion')->item(0);
        if ($assertion === null) {
            return 'status ' . $answer->getElementsByTagNameNS(SAMLP, 'StatusMessage')->item(0)->textContent;
        }
        $signature = child($assertion, DSIG, 'Signature');
        verify($signature, certificate($signature), [$assertion], '', 'AssertionID', 'assertion signature');
        file_put_contents($out, $answer->saveXML($assertion));
        return 'ok ' . doctor($assertion->getElementsByTagNameNS(SAML, 'Attribute'), 'AttributeName');
    }

    public function call(string $url, string $assertion, string $holder, string $variant): string
    {
        $client = self::client($url, 'urn:sceau:interop', $variant);
        $client->by = new Credential($holder);
        $client->assertion = parse(file_get_contents($assertion))->documentElement;
        $body = new SoapVar('<t:Ask xmlns:t="urn:sceau:interop">doctor?</t:Ask>', XSD_ANYXML);
        $client->__soapCall('Ask', [$body], ['soapaction' => 'urn:sceau:interop:Ask']);
        return 'ok ' . doctor(parse($client->answer)->getElementsByTagNameNS('urn:sceau:echo:1.0', 'Attribute'), 'Name');
    }
}

function doctor(iterable $attributes, string $name): string
{
    foreach ($attributes as $a) {
        if ($a->getAttribute($name) === DOCTOR) {
            return $a->textContent;
        }
    }
    return '';
}

$consumer = new Consumer(trim(file_get_contents($argv[1])));
while (($line = fgets(STDIN)) !== false) {
    $words = explode("\t", rtrim($line, "\n"));
    try {
        $reply = $consumer->{$words[0]}(...array_slice($words, 1));
    } catch (SoapFault $fault) {
        $detail = json_encode($fault->detail ?? null) ?: '';
        $reply = preg_match('/SOA-\d{5}/', $detail, $m) ? 'fault ' . preg_replace('/^.*:/', '', $fault->faultcode) . " $m[0]" : "error {$fault->getMessage()}";
    } catch (Throwable $error) {
        fwrite(STDERR, "$error\n");
        $reply = 'error ' . strtok($error->getMessage(), "\n");
    }
    echo $reply, "\n";
}
