<?php
// provider.php provide AUTHORITY SERVICE…: a service that verifies its callers by ext-dom and ext-openssl. See the package comment of interop.

declare(strict_types=1);
require __DIR__ . '/wire.php';

$authority = file_get_contents($argv[2]);
$services = array_map(fn (string $file): string => base64_decode(preg_replace('/-----[A-Z ]+-----/', '', file_get_contents($file)), false), array_slice($argv, 3));

/** The certificate of the holder of a good assertion. */
function holder(DOMElement $assertion, string $authority, array $services): string
{
    $window = child($assertion, SAML, 'Conditions');
    $from = strtotime($window?->getAttribute('NotBefore') ?? '');
    $to = strtotime($window?->getAttribute('NotOnOrAfter') ?? '');
    demand($from !== false && $to !== false && $from <= time() && time() < $to, 'assertion expired');
    $signature = child($assertion, DSIG, 'Signature');
    $issuer = certificate($signature);
    demand(in_array($issuer, $services, true), 'sts untrusted');
    verify($signature, $issuer, [$assertion], '', 'AssertionID', 'assertion signature');
    $confirmation = child(child(child($assertion, SAML, 'AuthenticationStatement'), SAML, 'Subject'), SAML, 'SubjectConfirmation');
    demand(child($confirmation, SAML, 'ConfirmationMethod')?->textContent === 'urn:oasis:names:tc:SAML:1.0:cm:holder-of-key', 'holder untrusted');
    $holder = certificate($confirmation);
    $parsed = $holder === '' ? false : openssl_x509_parse(pem($holder));
    demand($parsed !== false && $parsed['validFrom_time_t'] <= time() && time() < $parsed['validTo_time_t'], 'holder untrusted');
    demand(openssl_x509_verify(pem($holder), $authority) === 1, 'holder untrusted');
    return $holder;
}

/** The assertion of the caller. */
function admit(string $message, string $authority, array $services): DOMElement
{
    $envelope = parse($message)->documentElement;
    $body = child($envelope, SOAP, 'Body');
    $security = child(child($envelope, SOAP, 'Header'), WSSE, 'Security');
    $timestamp = child($security, WSU, 'Timestamp');
    $created = strtotime(child($timestamp, WSU, 'Created')?->textContent ?? '');
    $expires = strtotime(child($timestamp, WSU, 'Expires')?->textContent ?? '');
    demand($created !== false && $expires !== false && $created <= time() + 60 && time() < $expires, 'timestamp');
    $assertion = child($security, SAML, 'Assertion');
    demand($assertion !== null && $body !== null, 'assertion signature');
    $holder = holder($assertion, $authority, $services);
    $signature = child($security, DSIG, 'Signature');
    $reference = child(child($signature, DSIG, 'KeyInfo'), WSSE, 'SecurityTokenReference');
    demand(child($reference, WSSE, 'KeyIdentifier')?->textContent === $assertion->getAttribute('AssertionID'), 'message signature');
    verify($signature, $holder, [$body, $timestamp], WSU, 'Id', 'message signature');
    return $assertion;
}

function answer(string $message, string $authority, array $services): array
{
    try {
        $assertion = admit($message, $authority, $services);
    } catch (Refused $refused) {
        return ['500 Internal Server Error', "<soapenv:Fault><faultcode>soapenv:Client</faultcode><faultstring>{$refused->getMessage()}</faultstring></soapenv:Fault>"];
    }
    $doctor = 'false';
    foreach ($assertion->getElementsByTagNameNS(SAML, 'Attribute') as $a) {
        if ($a->getAttribute('AttributeName') === DOCTOR && $a->textContent === 'true') {
            $doctor = 'true';
        }
    }
    return ['200 OK', "<s:Answer xmlns:s=\"urn:sceau:interop\"><s:Doctor>$doctor</s:Doctor></s:Answer>"];
}

/** Reads one HTTP request and gives its body. */
function receive($connection): string
{
    $length = 0;
    while (($line = fgets($connection)) !== false && trim($line) !== '') {
        if (preg_match('/^content-length:\s*(\d+)/i', $line, $m)) {
            $length = (int) $m[1];
        }
    }
    return $length > 0 ? (string) stream_get_contents($connection, $length) : '';
}

$server = stream_socket_server('tcp://127.0.0.1:0');
echo 'listening ', parse_url('tcp://' . stream_socket_get_name($server, false), PHP_URL_PORT), "\n";
while (true) {
    $read = [$server, STDIN];
    $write = $except = null;
    stream_select($read, $write, $except, null);
    if (in_array(STDIN, $read, true) && fgets(STDIN) === false) {
        break;
    }
    if (in_array($server, $read, true) && ($connection = stream_socket_accept($server)) !== false) {
        stream_set_timeout($connection, 30);
        [$status, $content] = answer(receive($connection), $authority, $services);
        $text = '<soapenv:Envelope xmlns:soapenv="' . SOAP . "\"><soapenv:Body>$content</soapenv:Body></soapenv:Envelope>";
        fwrite($connection, "HTTP/1.1 $status\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: " . strlen($text) . "\r\nConnection: close\r\n\r\n$text");
        fclose($connection);
    }
}
