import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.apache.ws.security.WSConstants;
import org.apache.ws.security.WSDataRef;
import org.apache.ws.security.WSSConfig;
import org.apache.ws.security.WSSecurityEngine;
import org.apache.ws.security.WSSecurityEngineResult;
import org.apache.ws.security.components.crypto.Merlin;
import org.apache.ws.security.handler.RequestData;
import org.w3c.dom.Element;

/** The header by WSS4J, with its own cryptography provider, which builds the chain each time. */
final class Wss4j implements Header {
    private final WSSecurityEngine engine = new WSSecurityEngine();
    private final WSSConfig config = WSSConfig.getNewInstance();
    private final Merlin crypto = new Merlin();
    private final Instant now;
    private final List<Pattern> subjects = List.of(Pattern.compile(".*C=BE.*"));

    Wss4j(Trust citizens, Instant now) throws Exception {
        this.now = now;
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        trusted.setCertificateEntry("root", citizens.root);
        trusted.setCertificateEntry("ca", citizens.authority);
        crypto.setTrustStore(trusted);
        crypto.setKeyStore(trusted);
        config.setTimeStampStrict(false); // fresh() compares with the clock of the peers, which stands still
        config.setTimeStampTTL(7 * 24 * 3600);
        config.setTimeStampFutureTTL(7 * 24 * 3600);
    }

    @Override
    public X509Certificate verify(Element security, Element body) throws Exception {
        Element timestamp = Header.fresh(security, now);
        Element token = Dom.required(Dom.child(security, Names.WSSE, "BinarySecurityToken"), "token");
        RequestData data = new RequestData();
        data.setWssConfig(config);
        data.setSigCrypto(crypto);
        data.setSubjectCertConstraints(subjects); // without any it writes a warning for each message
        List<Element> signed = new ArrayList<>();
        X509Certificate identity = null;
        for (WSSecurityEngineResult result : engine.processSecurityHeader(security, data)) {
            if (!Integer.valueOf(WSConstants.SIGN).equals(result.get(WSSecurityEngineResult.TAG_ACTION))) continue;
            identity = (X509Certificate) result.get(WSSecurityEngineResult.TAG_X509_CERTIFICATE);
            for (Object reference : (List<?>) result.get(WSSecurityEngineResult.TAG_DATA_REF_URIS))
                signed.add(((WSDataRef) reference).getProtectedElement());
        }
        Refused.unless(identity != null && signed.size() == 3, "header signature: references");
        Refused.unless(signed.contains(body) && signed.contains(timestamp) && signed.contains(token), "header signature: references");
        return identity;
    }
}
